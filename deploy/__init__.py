"""What runs the platform somewhere: nothing here is imported by a service."""
