// Package proxy makes connections through a proxy: by HTTP's CONNECT (RFC 9110
// section 9.3.6), in plain text or under TLS, and by SOCKS5 (RFC 1928, with the
// user names and passwords of RFC 1929).
//
// A [Config] is given to a mail server's settings and to those of a sign-in,
// so that mail and token requests take the same way. Both speak through a
// tunnel: what is encrypted stays encrypted up to the server, and the proxy
// sees its name, its port and how much passes.
//
//	way := &proxy.Config{URL: "http://proxy.example.net:3128"}
//	server := session.Server{Host: "imap.example.org", Proxy: way}
//	cfg.Proxy = way // of the oauth.Config
//
// # Names
//
// The proxy looks up the server's name, with CONNECT and with SOCKS5 alike:
// this machine need not know the names of the world outside. The schemes
// "socks5" and "socks5h" mean the same, as in net/http; other programs look
// names up themselves where the scheme is "socks5".
//
// # Credentials
//
// User and Password are sent by the scheme Basic to an HTTP proxy and by RFC
// 1929 to a SOCKS5 proxy. Neither hides them: only a proxy whose URL begins
// with "https" gets them encrypted. Any other scheme of HTTP, such as Negotiate
// (Kerberos) or NTLM, is the matter of [Config.Authorization]. Credentials
// appear in no error of this package.
//
// # The environment
//
// With [Config.Environment] the variables decide that other programs look at
// too, in upper or in lower case; see [FromEnvironment].
package proxy
