package backend

import (
	"slices"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/oauth"
)

// Retry returns the policy of the settings by which requests over HTTP are sent again.
func Retry(r oauth.Retry) retry.Policy {
	return retry.Policy{
		On: retry.Condition(r.On), Statuses: slices.Clone(r.Statuses), Count: r.Count, Initial: r.Initial, Factor: r.Factor, Max: r.Max,
	}
}
