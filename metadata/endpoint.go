package metadata

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// Find returns the first endpoint of the first binding that is offered.
func Find(endpoints []Endpoint, bindings ...string) (Endpoint, bool) {
	for _, b := range bindings {
		for _, e := range endpoints {
			if e.Binding == b {
				return e, true
			}
		}
	}
	return Endpoint{}, false
}

// responseEndpoints are those to which a Response can be sent: by one of the
// served bindings. HTTP-Redirect must never carry one (SAML
// Profiles 4.1.2), whatever the metadata says.
func (sp *SP) responseEndpoints(served []string) []IndexedEndpoint {
	var found []IndexedEndpoint
	for _, e := range sp.ACS {
		if e.Binding != identity.BindingRedirect && slices.Contains(served, e.Binding) {
			found = append(found, e)
		}
	}
	return found
}

// AssertionConsumerService returns where the Response to an AuthnRequest goes
// (SAML Core 3.4.1): to the endpoint whose Location is url, octet for octet; or
// to the one with that index; or, where the request names neither, to the
// default of SAML Metadata 2.2.3. A request must not name both. An empty
// protocolBinding leaves the binding to us. Served are the bindings by which a
// Response can be sent, HTTP-POST alone if none is given; where one URL takes
// several of them, the first of served counts.
//
// Errors are of KindInvalid with code "sp.acs_mismatch" if nothing that is
// registered is named, "sp.acs_both", or "sp.binding" if the binding cannot
// carry a Response here.
func (sp *SP) AssertionConsumerService(url string, index *int, protocolBinding string, served ...string) (Endpoint, error) {
	if url != "" && index != nil {
		return Endpoint{}, acsError("sp.acs_both",
			"The application's request names its AssertionConsumerService twice.", "AssertionConsumerServiceURL and AssertionConsumerServiceIndex", "one of them")
	}
	if len(served) == 0 {
		served = []string{identity.BindingPOST}
	}
	if protocolBinding != "" {
		if !slices.Contains(served, protocolBinding) {
			return Endpoint{}, acsError("sp.binding",
				"The application asks for its answer in a way that is not supported.", protocolBinding, strings.Join(served, " or "))
		}
		served = []string{protocolBinding}
	}
	endpoints := sp.responseEndpoints(served)
	if url == "" && index == nil {
		return defaultEndpoint(endpoints)
	}
	named := func(e IndexedEndpoint) bool {
		if index != nil {
			return e.Index == *index && e.Index != noIndex
		}
		return e.Location == url
	}
	for _, binding := range served {
		for _, e := range endpoints {
			if named(e) && e.Binding == binding {
				return e.Endpoint, nil
			}
		}
	}
	for _, e := range sp.ACS {
		if named(e) {
			return Endpoint{}, acsError("sp.binding",
				"The application asks for its answer at an address that takes none in a way that is served here.", e.Binding, strings.Join(served, " or "))
		}
	}
	seen := url
	if index != nil {
		seen = "index " + strconv.Itoa(*index)
	}
	return Endpoint{}, acsError("sp.acs_mismatch",
		"The application asks for its answer at an address that is not registered for it.", seen, locations(endpoints))
}

// defaultEndpoint applies SAML Metadata 2.2.3: the first that says it is the
// default, else the first that does not say it is not, else the first.
func defaultEndpoint(endpoints []IndexedEndpoint) (Endpoint, error) {
	for _, want := range []identity.Switch{identity.On, identity.Auto, identity.Off} {
		for _, e := range endpoints {
			if e.IsDefault == want {
				return e.Endpoint, nil
			}
		}
	}
	return Endpoint{}, acsError("sp.acs_mismatch", "The application has no registered address for its answer.", "", "an AssertionConsumerService with a binding that is served here")
}

// DiscoveryLocations returns where the service provider takes the answers of identity
// provider discovery, its default first (Identity Provider Discovery Service Protocol
// 2.5, SAML Metadata 2.2.3).
func (sp *SP) DiscoveryLocations() []string {
	served := slices.DeleteFunc(slices.Clone(sp.DiscoveryResponses), func(e IndexedEndpoint) bool { return e.Binding != xmlsec.NSIDPDisco })
	first, err := defaultEndpoint(served)
	if err != nil {
		return nil
	}
	found := []string{first.Location}
	for _, e := range served {
		if e.Location != first.Location {
			found = append(found, e.Location)
		}
	}
	return found
}

// AttributeConsumingService returns the set of attributes that a request asks
// for by index, or the default of SAML Metadata 2.2.3 for a nil index. It
// reports false if there is no such set.
func (sp *SP) AttributeConsumingService(index *int) (AttributeConsumingService, bool) {
	if index != nil {
		for _, s := range sp.AttributeConsumingServices {
			if s.Index == *index {
				return s, true
			}
		}
		return AttributeConsumingService{}, false
	}
	for _, want := range []identity.Switch{identity.On, identity.Auto, identity.Off} {
		for _, s := range sp.AttributeConsumingServices {
			if s.IsDefault == want {
				return s, true
			}
		}
	}
	return AttributeConsumingService{}, false
}

func acsError(code identity.Code, msg, seen, expected string) error {
	return &identity.Error{Kind: identity.KindInvalid, Code: code, Who: identity.WhoVendor, Msg: msg, Seen: seen, Expected: expected}
}

// locations lists what is registered, at most three.
func locations(endpoints []IndexedEndpoint) string {
	s := ""
	for i, e := range endpoints {
		if i == 3 {
			return fmt.Sprintf("%s or %d more", s, len(endpoints)-i)
		}
		if i > 0 {
			s += " or "
		}
		s += e.Location
	}
	return s
}
