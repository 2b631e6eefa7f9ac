package smtptest_test

import (
	"context"
	"crypto/tls"
	"net"
)

type tlsDialer struct{ config *tls.Config }

func (d *tlsDialer) dial(ctx context.Context, address string) (net.Conn, error) {
	return (&tls.Dialer{Config: d.config}).DialContext(ctx, "tcp", address)
}
