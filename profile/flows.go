package profile

import (
	"slices"
	"strings"

	"github.com/mailsession/mailsession/preset"
)

// allows is [preset.Provider.Allows] for the flows of this package.
func allows(provider preset.Provider, flow Flow, proto preset.Protocol) error {
	switch flow {
	case FlowExternal:
		return nil // How somebody else gets tokens is their matter.
	case FlowPinned:
		if provider.Allows(preset.FlowDevice, proto) == nil {
			return nil
		}
		return provider.Allows(preset.FlowBrowser, proto)
	case FlowPassword:
		if provider.Allows(preset.FlowAppPassword, proto) == nil {
			return nil
		}
	default:
	}
	return provider.Allows(presetFlow(flow), proto)
}

// presetFlow is what package preset calls a flow.
func presetFlow(f Flow) preset.Flow {
	switch f {
	case FlowPKCE, FlowPinned:
		return preset.FlowBrowser
	case FlowCertificate:
		return preset.FlowClientCredentials
	default:
		return preset.Flow(f)
	}
}

// flowNames returns the flows of this package that stand for those of package
// preset.
func flowNames(flows []preset.Flow) string {
	var names []string
	for _, f := range flows {
		switch f {
		case preset.FlowBrowser:
			names = append(names, string(FlowPKCE), string(FlowPinned))
		case preset.FlowClientCredentials:
			names = append(names, string(FlowClientCredentials), string(FlowCertificate))
		case preset.FlowAppPassword:
			names = append(names, string(FlowPassword))
		default:
			names = append(names, string(f))
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}
