"""What is each grant's own: reading its parameters, and what it would authorize."""
