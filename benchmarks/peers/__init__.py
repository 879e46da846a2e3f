"""What the boxes for services say of other people's model servers, each as its own guide shows it.

python -m benchmarks.peers
"""
