// Package helm installs, upgrades and uninstalls releases. It is the only package that imports Helm.
//
// [Client] converges a release to its plan, whatever state an earlier run left it in. [Render] renders a release as [Client]
// does, without a cluster.
package helm
