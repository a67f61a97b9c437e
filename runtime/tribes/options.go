package tribes

import (
	"fmt"
	"strconv"
	"strings"
)

// SendOptions are the flags of a message (tribes.Channel.SEND_OPTIONS_*). They
// stand in the envelope, so the receiver sees them too.
type SendOptions int

// The flags. The receiver acts on UseAck and Sync only, the sender on the others.
const (
	OptByte      SendOptions = 1   // the bytes are raw, not a Java serialization stream
	OptUseAck    SendOptions = 2   // the receiver acknowledges, by default on arrival
	OptSync      SendOptions = 4   // with UseAck: it acknowledges after processing
	OptAsync     SendOptions = 8   // the sender queues the message
	OptSecure    SendOptions = 16  // no component of Tomcat uses it
	OptUDP       SendOptions = 32  // Tomcat sends to the member's UDP port; here it goes by TCP all the same
	OptMulticast SendOptions = 64  // one datagram to the multicast group
	OptGzip      SendOptions = 256 // set by GzipInterceptor
)

var optionNames = map[string]SendOptions{
	"byte": OptByte, "byte_message": OptByte,
	"use_ack": OptUseAck,
	"sync":    OptSync, "synchronized_ack": OptSync, "sync_ack": OptSync,
	"async": OptAsync, "asynchronous": OptAsync,
	"secure": OptSecure, "udp": OptUDP, "multicast": OptMulticast,
}

// ParseSendOptions reads a number or a comma separated list of flag names, as
// the attributes channelSendOptions and mapSendOptions take them
// (tribes.Channel.parseSendOptions).
func ParseSendOptions(s string) (SendOptions, error) {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return SendOptions(n), nil
	}
	var out SendOptions
	for f := range strings.SplitSeq(s, ",") {
		o, ok := optionNames[strings.ToLower(strings.TrimSpace(f))]
		if !ok {
			return 0, fmt.Errorf("%q is not a send option", strings.TrimSpace(f))
		}
		out |= o
	}
	return out, nil
}

// String returns the number, as Tomcat's configuration has it.
func (o SendOptions) String() string { return strconv.Itoa(int(o)) }
