"""Components of an environment: network, balancer, colour."""
