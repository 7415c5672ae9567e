"""What people do to services that run, when somebody decides who may."""
