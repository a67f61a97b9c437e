package tribes

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"clowder/parse/model"
)

// Options are what the configuration of a channel does not say.
type Options struct {
	PortOffset int          // added to the ports of receiver and multicast group
	NodeName   string       // for log lines
	Engine     string       // name of the engine that holds the cluster, for log lines
	Log        *slog.Logger // nil: slog.Default()
	// Static are the "host:port" receivers of the peers. Not nil: they replace multicast.
	Static    []string
	Transport Transport // nil: the machine's own network
	MaxFrame  int       // largest accepted frame in bytes; 0: DefaultMaxFrame
	MaxConns  int       // inbound connections at a time; 0: 1024
}

// settings are the numbers of one channel, defaults filled in.
type settings struct {
	mcast                bool
	group, bind          string
	ttl                  int
	loopback             bool
	frequency, dropTime  time.Duration
	recovery             bool
	recoveryN            int
	recoverySleep        time.Duration
	domain, filter       []byte
	address              string
	port, autoBind       int
	securePort, udpPort  int
	poolSize, maxRetry   int
	maxWait, timeout     time.Duration
	dispatch, alwaysSend bool
	maxQueue             int64
	detector             bool
	connectTimeout       time.Duration
	sendTest, readTest   bool
	readTimeout          time.Duration
	removeSuspects       time.Duration
	heartbeat            time.Duration
	localID              [16]byte
	static               []staticPeer
	maxFrame, maxConns   int
}

// staticPeer is a configured member; without fixed its uniqueId is learnt.
type staticPeer struct {
	host   string
	port   int
	domain []byte
	id     [16]byte
	fixed  bool
}

// defaultQueue is the default of MessageDispatchInterceptor.maxQueueSize, in bytes.
const defaultQueue = 64 << 20

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func settingsOf(c *model.Cluster, o Options) (settings, error) {
	ch := c.EffectiveChannel()
	mb, rc, tp := ch.Membership, ch.Receiver, ch.Sender.Transport
	offset := func(p int) int {
		if p > 0 {
			return p + o.PortOffset
		}
		return p
	}
	s := settings{
		mcast: true, group: net.JoinHostPort(mb.Address.Or("228.0.0.4"), strconv.Itoa(mb.Port.Or(45564)+o.PortOffset)),
		bind: mb.Bind.V, ttl: mb.TTL.Or(-1), loopback: !mb.LoopOff.V,
		frequency: ms(mb.Frequency.Or(500)), dropTime: ms(mb.DropTime.Or(3000)),
		recovery: mb.Recovery.Or(true), recoveryN: mb.RecoveryN.Or(10), recoverySleep: ms(mb.RecoveryT.Or(5000)),
		address: rc.Address.Or("auto"), port: rc.Port.Or(4000) + o.PortOffset, autoBind: max(1, rc.AutoBind.Or(100)),
		securePort: offset(rc.SecurePort.Or(-1)), udpPort: offset(rc.UDPPort.Or(-1)),
		poolSize: max(1, tp.PoolSize.Or(25)), maxRetry: max(0, tp.MaxRetry.Or(1)),
		maxWait: ms(tp.MaxWait.Or(3000)), timeout: ms(tp.Timeout.Or(3000)),
		connectTimeout: time.Second, sendTest: true, readTimeout: 5 * time.Second, removeSuspects: 300 * time.Second,
		alwaysSend: true, maxQueue: defaultQueue, heartbeat: 5 * time.Second, localID: newID(),
		maxFrame: o.MaxFrame, maxConns: o.MaxConns,
	}
	if s.maxConns <= 0 {
		s.maxConns = 1024
	}
	if s.frequency <= 0 || s.dropTime <= 0 || s.timeout <= 0 {
		return s, errors.New("frequency, dropTime and timeout must be positive")
	}
	var err error
	if s.domain, err = ParseBytes(mb.Domain.V); err != nil {
		return s, fmt.Errorf("membership domain: %w", err)
	}
	if start := c.StartOptions.Or(15); start&12 == 0 {
		s.mcast = false // channelStartOptions without MBR_RX_SEQ and MBR_TX_SEQ
	}
	for _, i := range ch.Interceptors {
		if err := s.interceptor(i); err != nil {
			return s, err
		}
	}
	switch class := model.SimpleClass(mb.Class.V); {
	case o.Static != nil:
		s.mcast, s.static = false, nil
		for _, p := range o.Static {
			host, port, err := splitPeer(p)
			if err != nil {
				return s, err
			}
			s.static = append(s.static, staticPeer{host: host, port: port})
		}
	case class != "" && class != "McastService":
		return s, fmt.Errorf("membership %s is not supported; run with static members", class)
	}
	return s, nil
}

func splitPeer(p string) (string, int, error) {
	host, port, err := net.SplitHostPort(p)
	if err != nil {
		return "", 0, fmt.Errorf("static member %q: %w", p, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("static member %q: bad port", p)
	}
	return host, int(n), nil
}

// interceptor takes over what one interceptor sets. One that changes the bytes
// of messages and is not known is an error: its peers could not be understood.
func (s *settings) interceptor(i *model.Interceptor) error {
	class := model.SimpleClass(i.Class.V)
	num := func(name string, def int) int {
		if a := i.Attribute(name); a != nil {
			if n, err := strconv.Atoi(a.Value.V); err == nil {
				return n
			}
		}
		return def
	}
	yes := func(name string, def bool) bool {
		if a := i.Attribute(name); a != nil {
			return a.Value.V == "true"
		}
		return def
	}
	switch class {
	case "MessageDispatchInterceptor", "MessageDispatch15Interceptor":
		s.dispatch = true
		s.maxQueue = int64(num("maxQueueSize", defaultQueue))
		s.alwaysSend = yes("alwaysSend", true)
	case "TcpFailureDetector":
		s.detector = true
		s.connectTimeout = ms(num("connectTimeout", 1000))
		s.sendTest, s.readTest = yes("performSendTest", true), yes("performReadTest", false)
		s.readTimeout = ms(num("readTestTimeout", 5000))
		s.removeSuspects = time.Duration(num("removeSuspectsTimeout", 300)) * time.Second
	case "DomainFilterInterceptor":
		if a := i.Attribute("domain"); a != nil {
			var err error
			if s.filter, err = ParseBytes(a.Value.V); err != nil {
				return fmt.Errorf("DomainFilterInterceptor domain: %w", err)
			}
		}
	case "StaticMembershipInterceptor":
		return s.staticMembers(i)
	case "EncryptInterceptor", "GzipInterceptor", "FragmentationInterceptor", "OrderInterceptor",
		"TwoPhaseCommitInterceptor", "NonBlockingCoordinator":
		return fmt.Errorf("interceptor %s changes the messages on the wire and is not supported", class)
	}
	return nil // statistics and pings: no effect on what others see
}

func (s *settings) staticMembers(i *model.Interceptor) error {
	for _, m := range i.Members {
		p := staticPeer{host: m.Host.V, port: m.Port.V}
		var err error
		if p.domain, err = ParseBytes(m.Domain.V); err != nil {
			return fmt.Errorf("static member domain: %w", err)
		}
		if m.UniqueID.V != "" {
			id, err := ParseBytes(m.UniqueID.V)
			if err != nil || len(id) != 16 {
				return fmt.Errorf("static member %s:%d: uniqueId %q is not 16 bytes", p.host, p.port, m.UniqueID.V)
			}
			p.id, p.fixed = [16]byte(id), true
		}
		s.static = append(s.static, p)
	}
	if l := i.Local; l != nil {
		if l.UniqueID.V != "" {
			id, err := ParseBytes(l.UniqueID.V)
			if err != nil || len(id) != 16 {
				return fmt.Errorf("local static member: uniqueId %q is not 16 bytes", l.UniqueID.V)
			}
			s.localID = [16]byte(id)
		}
		if d, err := ParseBytes(l.Domain.V); err == nil && len(d) > 0 {
			s.domain = d
		}
	}
	return nil
}
