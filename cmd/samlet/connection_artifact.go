package main

import (
	"slices"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

// checkArtifact judges whether a connection can be answered by artifact.
func (d *decoder) checkArtifact(at string, c ConnectionConfig) {
	if c.Artifact && c.Type != "saml" {
		d.faultAt(at+".artifact", "only a saml connection answers by artifact")
	}
}

// resolves reports whether artifacts of an IdP can be resolved.
func resolves(idp *metadata.IDP) bool {
	return slices.ContainsFunc(idp.ArtifactResolution, func(e metadata.IndexedEndpoint) bool { return e.Binding == identity.BindingSOAP })
}
