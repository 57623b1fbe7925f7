package proxy

import (
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

func fields(s string) []string { return strings.Fields(s) }
