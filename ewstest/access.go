package ewstest

import (
	"context"

	"github.com/mailsession/mailsession/mailtest"
)

// impersonate finds whom a request acts for.
func (c *call) impersonate(ctx context.Context, header *node) *failure {
	named := header.find("ExchangeImpersonation", "ConnectingSID").first()
	if named == nil {
		if c.who.app {
			return fail("ErrorInvalidExchangeImpersonationHeaderData",
				"ExchangeImpersonation SOAP header must be present for this type of OAuth token.")
		}
		return nil
	}
	target, ok := c.server.box.Account(c.server.address(named.value()))
	if !ok {
		return nonExistent()
	}
	if !c.mayActFor(ctx, target) {
		return fail("ErrorImpersonateUserDenied", "The account does not have permission to impersonate the requested user.")
	}
	c.actor = target
	return nil
}

func (c *call) mayActFor(ctx context.Context, target *mailtest.Account) bool {
	if c.who.app {
		return c.server.checkToken(ctx, target.Address(), c.who.token) == nil
	}
	return c.who.account == target || c.server.options.Impersonate(c.who.account.Address(), target.Address())
}

func nonExistent() *failure {
	return fail("ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it.")
}

// mailboxOf returns the account that an id names.
func (c *call) mailboxOf(i id) (*mailtest.Account, error) {
	for _, a := range c.server.box.Accounts() {
		if mailboxKey(a) == i.mailbox {
			return a, nil
		}
	}
	return nil, nonExistent()
}

// mayUse reports whether the request may use a folder: one of its own mailbox,
// one that is shared with it, or the top of a mailbox of which it may use any.
func (c *call) mayUse(f *folder) bool {
	if f.owner == c.actor {
		return true
	}
	for _, shared := range c.actor.Shared() {
		if shared.Owner == f.owner && (f.path == "" && f.holds() || shared.Folder.ID == f.id) {
			return true
		}
	}
	return false
}
