"""What stands on the server beside what the table wants: plan, setup, and how full it is."""
