"""What drills are made with: a service, the traffic on it, and what became of both."""
