"""Online services: a deployed model, with its versions, their shares of the requests, and the history of both."""
