package tribes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/net/ipv4"
)

// Transport is the network as a channel sees it. Its methods are called from
// many goroutines. A nil Transport in [Options] is the machine's own network.
type Transport interface {
	// Resolve gives the address bytes (4 or 16) of a host name or literal;
	// "" stands for this machine's own name.
	Resolve(ctx context.Context, host string) ([]byte, error)
	// Listen opens the TCP receiver at "host:port".
	Listen(ctx context.Context, address string) (net.Listener, error)
	// Dial connects to the receiver at "host:port".
	Dial(ctx context.Context, address string) (net.Conn, error)
	// Join joins the multicast group at "address:port". One Read gives one
	// datagram, also of this process unless loopback is off; one Write sends one
	// to the group. Close ends a pending Read. bind is the address of the
	// interface to use, or ""; ttl 0 keeps datagrams on this host, -1 leaves the
	// system's default.
	Join(ctx context.Context, group, bind string, ttl int, loopback bool) (io.ReadWriteCloser, error)
}

// network is the machine's own network.
type network struct{}

func (network) Resolve(ctx context.Context, host string) ([]byte, error) {
	if host == "" {
		name, err := os.Hostname()
		if err != nil {
			return nil, err
		}
		host = name
	}
	ips, err := net.DefaultResolver.LookupIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	for _, ip := range ips { // Java prefers IPv4
		if v4 := ip.To4(); v4 != nil {
			return v4, nil
		}
	}
	return ips[0].To16(), nil
}

func (network) Listen(ctx context.Context, address string) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", address)
}

func (network) Dial(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1}
	return d.DialContext(ctx, "tcp", address)
}

func (network) Join(ctx context.Context, group, bind string, ttl int, loopback bool) (io.ReadWriteCloser, error) {
	to, err := net.ResolveUDPAddr("udp4", group)
	if err != nil {
		return nil, err
	}
	if !to.IP.IsMulticast() {
		return nil, fmt.Errorf("%s is not a multicast address", to.IP)
	}
	var ifi *net.Interface
	if bind != "" {
		if ifi, err = interfaceOf(bind); err != nil {
			return nil, err
		}
	}
	lc := net.ListenConfig{Control: reuseAddress}
	pc, err := lc.ListenPacket(ctx, "udp4", ":"+strconv.Itoa(to.Port))
	if err != nil {
		return nil, err
	}
	p := ipv4.NewPacketConn(pc)
	err = p.JoinGroup(ifi, &net.UDPAddr{IP: to.IP})
	if err == nil && ifi != nil {
		err = p.SetMulticastInterface(ifi)
	}
	if err == nil {
		err = p.SetMulticastLoopback(loopback)
	}
	if err == nil && ttl >= 0 {
		err = p.SetMulticastTTL(ttl)
	}
	if err != nil {
		pc.Close()
		return nil, fmt.Errorf("joining %s: %w", group, err)
	}
	return &groupConn{pc, to}, nil
}

type groupConn struct {
	net.PacketConn
	to net.Addr
}

func (g *groupConn) Read(p []byte) (int, error) {
	n, _, err := g.ReadFrom(p)
	return n, err
}

func (g *groupConn) Write(p []byte) (int, error) { return g.WriteTo(p, g.to) }

func interfaceOf(bind string) (*net.Interface, error) {
	ip, err := net.ResolveIPAddr("ip4", bind)
	if err != nil {
		return nil, err
	}
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for i := range all {
		addrs, err := all[i].Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip.IP) {
				return &all[i], nil
			}
		}
	}
	return nil, fmt.Errorf("no interface has the address %s", bind)
}

// MulticastWorks tells whether this machine can send a datagram to the group and
// receive it itself; the datagram does not leave the host. It waits at most half a second.
func MulticastWorks(addr string, port int) error {
	return multicastWorks(addr, port, "")
}

func multicastWorks(addr string, port int, bind string) error {
	g, err := network{}.Join(context.Background(), net.JoinHostPort(addr, strconv.Itoa(port)), bind, 0, true)
	if err != nil {
		return err
	}
	timer := time.AfterFunc(500*time.Millisecond, func() { g.Close() })
	defer timer.Stop()
	defer g.Close()
	// A member record that is too short: live members of the group ignore it quietly.
	id := newID()
	probe := append([]byte(memberBegin+"\x00\x00\x00\x35"), id[:]...)
	if _, err := g.Write(probe); err != nil {
		return err
	}
	buf := make([]byte, 65536)
	for {
		n, err := g.Read(buf)
		if err != nil {
			return errors.New("a datagram to the group does not come back")
		}
		if string(buf[:n]) == string(probe) {
			return nil
		}
	}
}
