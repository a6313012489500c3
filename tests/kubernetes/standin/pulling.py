"""How a container gets its image, and what is told when it does not."""

from typing import TYPE_CHECKING

from tests.kubernetes.standin.images import Image, PullError

if TYPE_CHECKING:
    from tests.kubernetes.standin.container import Container


def pull(container: "Container") -> Image | None:
    """Get the image of a container; tries again until it is there.

    Returns:
        The image, or None if the container is to end.
    """
    pod, name, policy = container.pod, container.spec["image"], container.spec["imagePullPolicy"]
    images, node = pod.node.images, pod.node.name
    if policy == "Never" and not images.is_present(node, name):
        message = f'Container image "{name}" is not present with pull policy of Never'
        pod.events.warning(pod.object, "ErrImageNeverPull", message, container.field)
        container.wait_for("ErrImageNeverPull", message)
        container.stopping.wait()
        return None
    if policy != "Always" and images.is_present(node, name):
        message = f'Container image "{name}" already present on machine and can be accessed by the pod'
        pod.events.normal(pod.object, "Pulled", message, container.field)
        return images.find(name)
    wait = pod.node.settings.pull_backoff
    while not container.stopping.is_set():
        try:
            pod.events.normal(pod.object, "Pulling", f'Pulling image "{name}"', container.field)
            took = images.pull(node, name, container.abandoned)  # no kubelet breaks a pull off that has begun
        except PullError as error:
            _tell(container, error)
            if container.stopping.wait(wait):
                break
            wait *= 2
            continue
        message = f'Successfully pulled image "{name}" in {took * 1000:.0f}ms ({took * 1000:.0f}ms including waiting).'
        pod.events.normal(pod.object, "Pulled", f"{message} Image size: 0 bytes.", container.field)
        return images.find(name)
    return None


def _tell(container: "Container", error: PullError) -> None:
    pod, name, field = container.pod, container.spec["image"], container.field
    if error.reason == "InvalidImageName":
        pod.events.warning(pod.object, "InspectFailed", str(error), field)
        pod.events.warning(pod.object, "Failed", f"Error: {error.reason}", field)
        container.wait_for(error.reason, str(error))
        return
    pod.events.warning(pod.object, "Failed", f'Failed to pull image "{name}": {error}', field)
    pod.events.warning(pod.object, "Failed", f"Error: {error.reason}", field)
    container.wait_for(error.reason, str(error))
    if container.stopping.wait(pod.node.settings.pull_backoff / 2):
        return
    pod.events.normal(pod.object, "BackOff", f'Back-off pulling image "{name}"', field)
    pod.events.warning(pod.object, "Failed", "Error: ImagePullBackOff", field)
    container.wait_for("ImagePullBackOff", f'Back-off pulling image "{name}": ErrImagePull: {error}')
