package password

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/samlet-id/samlet/identity"
)

// Params are the costs of argon2id (RFC 9106 section 3.1).
type Params struct {
	Memory uint32 // KiB
	Time   uint32 // passes
	Lanes  uint8
}

// DefaultParams returns 19 MiB, two passes, one lane: the first choice of the
// OWASP password storage cheat sheet where memory has to be shared.
func DefaultParams() Params { return Params{Memory: 19 * 1024, Time: 2, Lanes: 1} }

// The bounds of parameters that are read from a hash or a configuration: a
// stored hash must not be able to exhaust the machine that checks it.
const (
	maxMemory = 256 * 1024 // KiB
	maxTime   = 16
	maxLanes  = 16
	maxPHC    = 512 // bytes of a whole PHC string
	saltLen   = 16
	keyLen    = 32
)

func (p Params) check() error {
	switch {
	case p.Lanes < 1 || p.Lanes > maxLanes:
		return fmt.Errorf("argon2id: %d lanes, not 1 to %d", p.Lanes, maxLanes)
	case p.Memory < 8*uint32(p.Lanes) || p.Memory > maxMemory:
		return fmt.Errorf("argon2id: %d KiB of memory, not %d to %d", p.Memory, 8*uint32(p.Lanes), maxMemory)
	case p.Time < 1 || p.Time > maxTime:
		return fmt.Errorf("argon2id: %d passes, not 1 to %d", p.Time, maxTime)
	}
	return nil
}

// Hash returns the argon2id hash of password under a fresh salt from rand, in the
// PHC string format. It does not judge the password: Check does.
func (p Params) Hash(rand io.Reader, password string) (identity.Secret, error) {
	if err := p.check(); err != nil {
		return identity.Secret{}, err
	}
	h := phc{Params: p, salt: make([]byte, saltLen)}
	if _, err := io.ReadFull(rand, h.salt); err != nil {
		return identity.Secret{}, fmt.Errorf("reading randomness for a salt: %w", err)
	}
	h.key = h.derive(password, keyLen)
	return identity.NewSecret(h.String()), nil
}

// phc is one hash: $argon2id$v=19$m=19456,t=2,p=1$SALT$KEY, the values in
// unpadded base64.
type phc struct {
	Params
	salt, key []byte
}

var errPHC = errors.New("no argon2id hash in PHC string format")

// parsePHC reads a hash strictly: the one algorithm and version, the parameters
// in their order and within bounds, canonical numbers and base64.
func parsePHC(s string) (phc, error) {
	if len(s) > maxPHC {
		return phc{}, errPHC
	}
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, errPHC
	}
	costs := strings.Split(parts[3], ",")
	if len(costs) != 3 {
		return phc{}, errPHC
	}
	var n [3]uint64
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(costs[i], name)
		v, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || strconv.FormatUint(v, 10) != digits {
			return phc{}, errPHC
		}
		n[i] = v
	}
	if n[2] > maxLanes {
		return phc{}, errPHC
	}
	h := phc{Params: Params{Memory: uint32(n[0]), Time: uint32(n[1]), Lanes: uint8(n[2])}}
	if err := h.check(); err != nil {
		return phc{}, err
	}
	strict := base64.RawStdEncoding.Strict()
	var err error
	if h.salt, err = strict.DecodeString(parts[4]); err != nil || len(h.salt) < 8 || len(h.salt) > 64 {
		return phc{}, errPHC
	}
	if h.key, err = strict.DecodeString(parts[5]); err != nil || len(h.key) < 16 || len(h.key) > 64 {
		return phc{}, errPHC
	}
	// The decoder skips line breaks; no other spelling of a hash may pass.
	if h.String() != s {
		return phc{}, errPHC
	}
	return h, nil
}

// String returns the PHC string format.
func (h phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.Memory, h.Time, h.Lanes,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

func (h phc) derive(password string, n int) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.Time, h.Memory, h.Lanes, uint32(n)) //nolint:gosec // n is at most 64
}

// matches compares in constant time.
func (h phc) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.derive(password, len(h.key)), h.key) == 1
}
