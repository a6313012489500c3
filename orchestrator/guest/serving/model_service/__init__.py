"""Base classes of services, under the names that ModelArts gave them."""
