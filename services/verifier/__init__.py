"""The verifier: proves pushed programs safe, away from the guests that will run them."""
