package oauth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
)

// TestOneBaseGivesAllEndpoints: the OAuth host and the tenant are all that
// people know.
func TestOneBaseGivesAllEndpoints(t *testing.T) {
	const world = "https://login.microsoftonline.com"
	for _, tt := range []struct {
		base, tenant, prefix, issuer string
	}{
		{"", "contoso.com", world + "/contoso.com/oauth2/v2.0", world + "/{tenantid}/v2.0"},
		{world + "/", "common", world + "/common/oauth2/v2.0", world + "/{tenantid}/v2.0"},
		{"", "a/b", world + "/a%2Fb/oauth2/v2.0", world + "/{tenantid}/v2.0"},
		{"login.microsoftonline.us", "t", "https://login.microsoftonline.us/t/oauth2/v2.0", "https://login.microsoftonline.us/{tenantid}/v2.0"},
		{"https://login.chinacloudapi.cn", "t", "https://login.chinacloudapi.cn/t/oauth2/v2.0", "https://login.partner.microsoftonline.cn/{tenantid}/v2.0"},
		{"https://login.corp.example:8443/mirror/", "t", "https://login.corp.example:8443/mirror/t/oauth2/v2.0", ""},
		{"http://127.0.0.1:9999", "", "http://127.0.0.1:9999/oauth2/v2.0", ""},
		{"https://sts.contoso.com", "adfs", "https://sts.contoso.com/adfs/oauth2", "https://sts.contoso.com/adfs"},
		{"https://sts.contoso.com/adfs/", "", "https://sts.contoso.com/adfs/oauth2", "https://sts.contoso.com/adfs"},
	} {
		e := oauth.MicrosoftEndpoint(tt.base, tt.tenant)
		if e.AuthURL != tt.prefix+"/authorize" || e.TokenURL != tt.prefix+"/token" || e.DeviceURL != tt.prefix+"/devicecode" {
			t.Errorf("MicrosoftEndpoint(%q, %q) = %q, %q, %q, want all under %q", tt.base, tt.tenant, e.AuthURL, e.TokenURL, e.DeviceURL, tt.prefix)
		}
		if e.Issuer != tt.issuer {
			t.Errorf("MicrosoftEndpoint(%q, %q).Issuer = %q, want %q", tt.base, tt.tenant, e.Issuer, tt.issuer)
		}
		if cloud := strings.Contains(tt.issuer, "{tenantid}"); (e.IdleLimit == 90*24*time.Hour) != cloud || (e.IdleLimit == 0) == cloud {
			t.Errorf("MicrosoftEndpoint(%q, %q).IdleLimit = %v, want 90 days of Microsoft's own clouds alone", tt.base, tt.tenant, e.IdleLimit)
		}
	}
}
