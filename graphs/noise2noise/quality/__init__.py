"""How good a result is: against a clean picture, beside other methods, or without either."""
