"""The names of MXNet Model Server that services written for ModelArts import."""
