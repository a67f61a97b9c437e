package model

import "strings"

// SimpleClass returns the last part of a Java class name: "NioReceiver" of
// "org.apache.catalina.tribes.transport.nio.NioReceiver".
func SimpleClass(class string) string { return class[strings.LastIndexByte(class, '.')+1:] }

func containsFold(s, sub string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(sub))
}
