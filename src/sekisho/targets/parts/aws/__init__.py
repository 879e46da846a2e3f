"""What a deployment to Amazon SageMaker is made of: the model package, the requests, the policies and the client."""
