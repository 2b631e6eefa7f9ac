package mailtest

import (
	"errors"
	"fmt"
)

// ErrOverQuota says that a message would take the account over its quota.
var ErrOverQuota = errors.New("over quota")

// Quota is how much mail an account holds or may hold. As a limit, a field of 0
// is no limit.
type Quota struct {
	// Bytes is the size of the messages together.
	Bytes int64
	// Messages is how many there are.
	Messages int
}

// SetQuota limits what the account holds. What is there already stays, and what
// is delivered comes in any case: only [Account.Append] and copying are refused
// with [ErrOverQuota].
func (a *Account) SetQuota(limit Quota) {
	a.box.mu.Lock()
	defer a.box.mu.Unlock()
	a.limit = limit
}

// Quota returns what the account holds and what it may hold. A message counts
// once a folder that it lies in.
func (a *Account) Quota() (used, limit Quota) {
	a.box.mu.Lock()
	defer a.box.mu.Unlock()
	return a.used(), a.limit
}

func (a *Account) used() Quota {
	var used Quota
	for _, f := range a.folders {
		used.Messages += len(f.messages)
		for _, m := range f.messages {
			used.Bytes += int64(len(m.raw))
		}
	}
	return used
}

// room returns an error unless there is room for further messages.
func (a *Account) room(further Quota) error {
	if a.limit == (Quota{}) {
		return nil
	}
	used := a.used()
	if a.limit.Bytes > 0 && used.Bytes+further.Bytes > a.limit.Bytes ||
		a.limit.Messages > 0 && used.Messages+further.Messages > a.limit.Messages {
		return fmt.Errorf("mailtest: account %s: %w", a.address, ErrOverQuota)
	}
	return nil
}
