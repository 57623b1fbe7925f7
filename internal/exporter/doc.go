// Package exporter shows counters, and what memcached says of itself, as metrics
// for Prometheus.
//
// It counts nothing by itself, and answers no HTTP. Every metric is a row of a
// table, from which docs/metrics.md is made too. No label holds anything that a
// client sent, and none has more values than the configuration gives it and a
// bound besides.
package exporter
