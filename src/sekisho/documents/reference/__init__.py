"""Pages of reference, made from the code: the contract, the boxes, the commands."""
