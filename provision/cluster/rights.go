package cluster

// right is a rule of RBAC: verbs on one kind of object.
type right struct {
	group, resource, name string
	verbs                 []string
}

// rightsEverywhere and rightsInStores are what the two ClusterRoles of the service's chart give a worker: in the whole cluster, and in each store's
// namespace, where it binds itself. A test holds them to deploy/kubernetes/orchestrator/templates/rbac.yaml.
var (
	rightsEverywhere = []right{
		{"", "pods", "", []string{"list", "watch"}},
		{"", "events", "", []string{"list", "watch"}},
		{"apps", "deployments", "", []string{"list", "watch"}},
		{"apps", "statefulsets", "", []string{"list", "watch"}},
		{"apps", "replicasets", "", []string{"list", "watch"}},
		{"", "namespaces", "", []string{"get", "list", "watch", "create", "update", "patch", "delete"}},
		{"storage.k8s.io", "storageclasses", "", []string{"get"}},
	}
	rightsToBind = []right{
		{"rbac.authorization.k8s.io", "rolebindings", "", []string{"get", "create"}},
		{"rbac.authorization.k8s.io", "clusterroles", "STORE ROLE", []string{"bind"}},
	}
	rightsInStores = []right{
		{"", "secrets", "", []string{"get", "list", "create", "update", "delete"}},
		{"", "configmaps", "", charted}, {"", "services", "", charted}, {"", "serviceaccounts", "", charted}, {"", "limitranges", "", charted}, {"", "resourcequotas", "", charted},
		{"", "persistentvolumeclaims", "", []string{"get", "create", "patch", "delete", "list", "watch", "deletecollection"}},
		{"apps", "deployments", "", charted}, {"apps", "statefulsets", "", charted},
		{"networking.k8s.io", "networkpolicies", "", charted}, {"networking.k8s.io", "ingresses", "", charted},
		{"policy", "poddisruptionbudgets", "", charted},
		{"gateway.networking.k8s.io", "httproutes", "", charted},
		{"", "pods/portforward", "", []string{"create", "get"}}, {"", "pods", "", []string{"create", "delete"}},
	}
)

// charted are the verbs of what the stores' charts consist of.
var charted = []string{"get", "create", "patch", "delete"}
