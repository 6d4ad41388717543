package binding

import (
	"crypto/sha1" // #nosec G505 -- SAML Bindings 3.6.4.2 names it; nothing rests on it
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// Artifact stands for a message that is kept with its sender (SAML Bindings
// 3.6.4), of the one type there is, 0x0004.
type Artifact struct {
	EndpointIndex uint16   // of the sender's ArtifactResolutionService
	SourceID      [20]byte // SHA-1 of the sender's entityID
	Handle        [20]byte // random: it names the message, and knowing it is half of getting it
}

// artifactType is the TypeCode of the only type that SAML 2.0 defines.
const artifactType = 0x0004

// artifactLen is the length of an artifact in octets: type, index, SourceID, handle.
const artifactLen = 2 + 2 + 20 + 20

// paramArtifact is the parameter of SAML Bindings 3.6.3.
const paramArtifact = "SAMLart"

// SourceID returns what artifacts of the entity are known by: the SHA-1 of its
// entityID (SAML Bindings 3.6.4.2).
func SourceID(id identity.EntityID) [20]byte {
	return sha1.Sum([]byte(id)) // #nosec G401 -- as at the import
}

// NewArtifact makes an artifact of the entity with a handle out of rand.
func NewArtifact(id identity.EntityID, endpoint uint16, rand io.Reader) (Artifact, error) {
	a := Artifact{EndpointIndex: endpoint, SourceID: SourceID(id)}
	if _, err := io.ReadFull(rand, a.Handle[:]); err != nil {
		return Artifact{}, fmt.Errorf("reading randomness for an artifact: %w", err)
	}
	return a, nil
}

// String returns the artifact as it travels: base64 of its 44 octets.
func (a Artifact) String() string {
	octets := make([]byte, 0, artifactLen)
	octets = binary.BigEndian.AppendUint16(octets, artifactType)
	octets = binary.BigEndian.AppendUint16(octets, a.EndpointIndex)
	octets = append(append(octets, a.SourceID[:]...), a.Handle[:]...)
	return base64.StdEncoding.EncodeToString(octets)
}

// ParseArtifact reads what String returns, blanks and line breaks around it
// aside. An error is of KindInvalid with code "binding.artifact".
func ParseArtifact(s string) (Artifact, error) {
	octets, err := base64.StdEncoding.Strict().DecodeString(strings.Trim(s, " \t\r\n"))
	if err != nil || len(octets) != artifactLen {
		return Artifact{}, badArtifact(fmt.Sprintf("%d octets", len(octets)), err)
	}
	if kind := binary.BigEndian.Uint16(octets); kind != artifactType {
		return Artifact{}, badArtifact(fmt.Sprintf("type 0x%04x", kind), nil)
	}
	a := Artifact{EndpointIndex: binary.BigEndian.Uint16(octets[2:])}
	copy(a.SourceID[:], octets[4:])
	copy(a.Handle[:], octets[24:])
	return a, nil
}

// badArtifact never shows the artifact: it is a bearer value.
func badArtifact(seen string, err error) error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "binding.artifact", Who: identity.WhoVendor,
		Msg: "The message's artifact is damaged.", Seen: seen, Expected: "44 octets of type 0x0004 in base64 (SAML Bindings 3.6.4)", Err: err,
	}
}

// RedirectArtifact puts an artifact into a redirect to location (SAML Bindings
// 3.6.3.1). A query that location has already is kept, in front. An empty
// relayState is left out.
func RedirectArtifact(location string, a Artifact, relayState string) (Message, error) {
	q := paramArtifact + "=" + url.QueryEscape(a.String())
	if relayState != "" {
		q += "&" + paramRelayState + "=" + url.QueryEscape(relayState)
	}
	return redirect(location, q)
}

// PostArtifact puts an artifact into a form to be submitted to location (SAML
// Bindings 3.6.3.2). An empty relayState is left out.
func PostArtifact(location string, a Artifact, relayState string) Message {
	form := url.Values{paramArtifact: {a.String()}}
	if relayState != "" {
		form.Set(paramRelayState, relayState)
	}
	return Message{URL: location, Form: form}
}

// ArtifactMessage is an artifact as the browser brought it.
type ArtifactMessage struct {
	Artifact      Artifact
	RelayState    string // octet for octet; opaque
	HasRelayState bool   // tells an empty RelayState from none
}

// DecodeArtifact takes an artifact out of what the browser brought, by redirect
// or by form. Errors are of KindInvalid: "binding.missing" where there is none,
// "binding.duplicate", "binding.encoding", "binding.too_large" and
// "binding.relay_state" as of Decode, "binding.artifact" for a damaged one.
func (l Limits) DecodeArtifact(in Received) (ArtifactMessage, error) {
	form := in.Form
	if in.Method != http.MethodPost {
		if limit := or(l.Query, DefaultMaxQuery); len(in.RawQuery) > limit {
			return ArtifactMessage{}, tooLarge("query", int64(limit), identity.WhoPartner)
		}
		var err error
		if form, err = url.ParseQuery(in.RawQuery); err != nil {
			return ArtifactMessage{}, encoding(paramArtifact, "a broken query", identity.WhoPartner, err)
		}
	}
	for _, name := range []string{paramArtifact, paramRelayState} {
		if len(form[name]) > 1 {
			return ArtifactMessage{}, duplicate(name, "the parameter more than once")
		}
	}
	if !form.Has(paramArtifact) {
		return ArtifactMessage{}, &identity.Error{
			Kind: identity.KindInvalid, Code: "binding.missing", Who: identity.WhoUser,
			Msg: "This address expects a message from an identity provider; please start again at the application.", Expected: paramArtifact,
		}
	}
	m := ArtifactMessage{RelayState: form.Get(paramRelayState), HasRelayState: form.Has(paramRelayState)}
	if err := l.checkRelayState(m.RelayState, ParamResponse); err != nil {
		return ArtifactMessage{}, err
	}
	var err error
	m.Artifact, err = ParseArtifact(form.Get(paramArtifact))
	return m, err
}
