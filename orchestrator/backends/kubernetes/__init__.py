"""Jobs on a Kubernetes cluster: stock parts only, no operator, no custom resources."""
