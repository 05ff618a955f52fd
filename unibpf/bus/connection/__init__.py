"""Opening a connection, and the refusals that the server reports out of band."""
