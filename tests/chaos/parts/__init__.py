"""What the scenarios of `make chaos` are made of. Python's standard library is all they need."""
