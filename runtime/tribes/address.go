package tribes

import (
	"context"
	"net"
)

// HostAddress returns the address that a Receiver with this address attribute
// binds and announces: "auto" is the address of the host name, blank is loopback,
// and so is a host name that does not resolve (ReceiverBase.getBind).
func HostAddress(ctx context.Context, address string) (net.IP, error) {
	loopback := net.IPv4(127, 0, 0, 1)
	switch address {
	case "":
		return loopback, nil
	case "auto":
		ip, err := network{}.Resolve(ctx, "")
		if err != nil {
			return loopback, nil
		}
		return ip, nil
	}
	return network{}.Resolve(ctx, address)
}
