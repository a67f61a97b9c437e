// Package ajp is AJP/1.3 as Apache httpd's mod_proxy_ajp and Tomcat's AJP
// connector speak it: a codec, a client connection and a server for a
// [net/http] handler.
//
// A packet is four bytes of head (two of magic, two of payload length, big
// endian) and its payload:
//
//	to Tomcat   12 34 | len | payload     from Tomcat   41 42 | len | payload
//
//	string      len(2) bytes 00           null string   ff ff
//	header      a0 nn | string, then the value as string
//
//	FORWARD_REQUEST  02 method(1) protocol uri remoteAddr remoteHost serverName
//	                 serverPort(2) isSSL(1) count(2) headers attributes ff
//	body chunk       len(2) bytes          (len 0, or an empty payload: the end)
//	CPING 0a   CPONG 09
//	SEND_BODY_CHUNK  03 len(2) bytes 00    SEND_HEADERS    04 status(2) reason count(2) headers
//	END_RESPONSE     05 reuse(1)           GET_BODY_CHUNK  06 wanted(2)
//
// Encoders append to a slice; decoders read a payload that was bounded by the
// packet size before it was read, and never panic. The behaviour is that of
// modules/proxy/ajp_*.c and mod_proxy_ajp.c (httpd 2.4) and of
// org.apache.coyote.ajp.AjpProcessor and AjpMessage (Tomcat 10.1).
package ajp

import (
	"encoding/binary"
	"errors"
	"strings"
)

// Packet sizes in bytes, head included; both sides must use the same
// (httpd: ProxyIOBufferSize or iobuffersize; Tomcat: packetSize).
const (
	MinPacketSize = 8192
	MaxPacketSize = 65536
	headSize      = 4
)

// Types of packets: the first byte of the payload, except of body chunks to Tomcat.
const (
	TypeForwardRequest byte = 0x02
	TypeSendBodyChunk  byte = 0x03
	TypeSendHeaders    byte = 0x04
	TypeEndResponse    byte = 0x05
	TypeGetBodyChunk   byte = 0x06
	TypeShutdown       byte = 0x07
	TypePong           byte = 0x09
	TypePing           byte = 0x0A
)

// Codes of attributes of a FORWARD_REQUEST.
const (
	attrContext      byte = 0x01
	attrServletPath  byte = 0x02
	attrRemoteUser   byte = 0x03
	attrAuthType     byte = 0x04
	attrQueryString  byte = 0x05
	attrJVMRoute     byte = 0x06
	attrSSLCert      byte = 0x07
	attrSSLCipher    byte = 0x08
	attrSSLSession   byte = 0x09
	attrReqAttribute byte = 0x0A
	attrSSLKeySize   byte = 0x0B
	attrSecret       byte = 0x0C
	attrStoredMethod byte = 0x0D
	attrEnd          byte = 0xFF

	methodStored byte = 0xFF
)

// Names of request attributes that carry facts of the connection.
const (
	nameSSLProtocol = "AJP_SSL_PROTOCOL"
	nameRemotePort  = "AJP_REMOTE_PORT"
	nameLocalAddr   = "AJP_LOCAL_ADDR"
)

// Errors of decoding. They are wrapped with what was being read.
var (
	ErrMagic     = errors.New("ajp: wrong magic bytes")
	ErrTooLarge  = errors.New("ajp: does not fit into a packet")
	ErrMalformed = errors.New("ajp: malformed packet")
)

// methods by code minus one (ajp_header.c, Tomcat's Constants).
var methods = [...]string{
	"OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "PROPFIND", "PROPPATCH",
	"MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "ACL", "REPORT", "VERSION-CONTROL", "CHECKIN",
	"CHECKOUT", "UNCHECKOUT", "SEARCH", "MKWORKSPACE", "UPDATE", "LABEL", "MERGE",
	"BASELINE-CONTROL", "MKACTIVITY",
}

// requestHeaders by the low byte of the code minus one.
var requestHeaders = [...]string{
	"accept", "accept-charset", "accept-encoding", "accept-language", "authorization",
	"connection", "content-type", "content-length", "cookie", "cookie2", "host", "pragma",
	"referer", "user-agent",
}

// responseHeaders by the low byte of the code minus one.
var responseHeaders = [...]string{
	"Content-Type", "Content-Language", "Content-Length", "Date", "Last-Modified", "Location",
	"Set-Cookie", "Set-Cookie2", "Servlet-Engine", "Status", "WWW-Authenticate",
}

// methodCode returns the code httpd sends for the method: ACL and SEARCH have
// codes that httpd, not knowing these methods by number, does not use.
func methodCode(m string) byte {
	if m == "ACL" || m == "SEARCH" {
		return methodStored
	}
	for i, s := range methods {
		if s == m {
			return byte(i + 1)
		}
	}
	return methodStored
}

func headerCode(table []string, name string) uint16 {
	for i, s := range table {
		if len(s) == len(name) && strings.EqualFold(s, name) {
			return 0xA001 + uint16(i)
		}
	}
	return 0
}

// packetSize returns the size in use: httpd and Tomcat both clamp it.
func packetSize(n int) int { return min(max(n, MinPacketSize), MaxPacketSize) }

// begin appends the head of a packet whose length finish fills in.
func begin(b []byte, m0, m1 byte) []byte { return append(b, m0, m1, 0, 0) }

// finish writes the length of the packet that starts at from.
func finish(b []byte, from, size int) ([]byte, error) {
	n := len(b) - from
	if n > size || n-headSize > 0xFFFF {
		return b[:from], ErrTooLarge
	}
	binary.BigEndian.PutUint16(b[from+2:], uint16(n-headSize))
	return b, nil
}

// appendString appends a string with its length. One longer than a length can
// say makes the packet too large anyway, which finish reports.
func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	b = append(b, s...)
	return append(b, 0)
}

func appendNull(b []byte) []byte { return append(b, 0xFF, 0xFF) }

func appendName(b []byte, table []string, name string) []byte {
	if c := headerCode(table, name); c != 0 {
		return binary.BigEndian.AppendUint16(b, c)
	}
	return appendString(b, name)
}

// AppendPing appends a CPING packet.
func AppendPing(b []byte) []byte { return append(b, 0x12, 0x34, 0, 1, TypePing) }

// AppendPong appends a CPONG packet.
func AppendPong(b []byte) []byte { return append(b, 0x41, 0x42, 0, 1, TypePong) }

// AppendBody appends a body chunk to Tomcat; empty data is the end of the body.
// The data must be at most the packet size less 6 bytes.
func AppendBody(b, data []byte) []byte {
	b = append(b, 0x12, 0x34)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)+2))
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
}

// AppendGetBody appends GET_BODY_CHUNK asking for n bytes.
func AppendGetBody(b []byte, n int) []byte {
	return append(b, 0x41, 0x42, 0, 3, TypeGetBodyChunk, byte(n>>8), byte(n))
}

// AppendSendBody appends SEND_BODY_CHUNK; empty data asks the peer to flush.
// The data must be at most the packet size less 8 bytes.
func AppendSendBody(b, data []byte) []byte {
	b = append(b, 0x41, 0x42)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)+4))
	b = append(b, TypeSendBodyChunk)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	b = append(b, data...)
	return append(b, 0)
}

// AppendEnd appends END_RESPONSE.
func AppendEnd(b []byte, reuse bool) []byte {
	r := byte(0)
	if reuse {
		r = 1
	}
	return append(b, 0x41, 0x42, 0, 2, TypeEndResponse, r)
}
