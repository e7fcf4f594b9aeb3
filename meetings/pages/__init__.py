"""The pages about meetings in the admin."""
