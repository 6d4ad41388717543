package main

// allowsUnsignedResponse reports whether a signed assertion is enough of this
// upstream. Where nothing is said it is not (IIP-SP13), but for the presets of
// vendors that sign the assertion alone unless they are told otherwise.
func (c ConnectionConfig) allowsUnsignedResponse() bool {
	if c.Require.SignedResponse != nil {
		return !*c.Require.SignedResponse
	}
	return c.Preset == "auth0" || c.Preset == "google"
}
