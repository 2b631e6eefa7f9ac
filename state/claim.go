package state

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	// leasePrefix is where leases are kept.
	leasePrefix = ".lease/"
	// maxTerm is the longest term of a lease.
	maxTerm = 24 * time.Hour
)

// leaseKey returns the key of the record that holds the lease of a key. Where
// the two together are too long, a sum takes the key's place.
func leaseKey(key string) string {
	if len(leasePrefix)+len(key) <= MaxKey {
		return leasePrefix + key
	}
	return fmt.Sprintf("%ssha256=%x", leasePrefix, sha256.Sum256([]byte(key)))
}

// claim is what the record of a lease says. It stays when the lease is given
// back, without its holder, so that the numbers go on growing.
type claim struct {
	// Holder is "" while nobody holds the lease.
	Holder string `json:"holder"`
	// Fence is the number of the present or last holder's lease.
	Fence uint64 `json:"fence"`
	// Term is how long the lease is good for after each renewal, in
	// milliseconds: for how long everybody else must see the record unchanged
	// before they may take over.
	Term int64 `json:"term_ms"`
}

// term returns the claim's term.
func (c claim) term() time.Duration { return time.Duration(c.Term) * time.Millisecond }

// encode returns the value of the lease's record.
func (c claim) encode() ([]byte, error) { return json.Marshal(c) }

// parseClaim reads the value of a lease's record, nil where there is none.
func parseClaim(value []byte) (claim, error) {
	var c claim
	if value == nil {
		return c, nil
	}
	if err := json.Unmarshal(value, &c); err != nil {
		return claim{}, fmt.Errorf("the lease's record cannot be read: %w; delete it if no program uses the lock", err)
	}
	if c.Term < 0 || c.Term > maxTerm.Milliseconds() || c.Holder != "" && c.Term == 0 {
		return claim{}, errors.New("the lease's record has no valid term; delete it if no program uses the lock")
	}
	return c, nil
}
