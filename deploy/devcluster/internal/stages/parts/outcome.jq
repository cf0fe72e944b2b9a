if any(.spec.initContainers[]?; .image | endswith(":missing")) then "init-image"
elif any(.spec.containers[]; .image | endswith(":missing")) then "image"
else .metadata.annotations["devcluster/outcome"] // "ok" end
