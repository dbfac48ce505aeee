module lakewright.test/conformance/sources

go 1.26.8

// Nothing of these is compiled: their definitions of objects, and how pretended nodes behave, are read.
require (
	github.com/bitnami/sealed-secrets v0.40.0
	github.com/cert-manager/cert-manager v1.21.2
	github.com/cloudnative-pg/cloudnative-pg v1.30.0
	github.com/cloudnative-pg/plugin-barman-cloud v0.14.0
	github.com/external-secrets/external-secrets v1.3.2
	github.com/prometheus-operator/prometheus-operator v0.93.0
	istio.io/api v1.30.3
	sigs.k8s.io/gateway-api v1.6.3
	sigs.k8s.io/kwok v0.8.0
)

// The module was renamed, and is published under its former name.
replace github.com/bitnami/sealed-secrets => github.com/bitnami-labs/sealed-secrets v0.40.0
