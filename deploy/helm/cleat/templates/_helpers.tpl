{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{/* The annotation by which cert-manager fills the bundles in. */}}
{{- define "cleat.injected" -}}
{{- if eq .Values.certs "cert-manager" }}
  annotations:
    cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/cleat-webhook-cert
{{- end }}
{{- end }}

{{/* Where the API server finds the webhook at .path. */}}
{{- define "cleat.client" -}}
{{- if .root.Values.webhookURL -}}
url: {{ trimSuffix "/" .root.Values.webhookURL }}{{ .path }}
{{- else -}}
service:
  name: cleat
  namespace: {{ .root.Release.Namespace }}
  path: {{ .path }}
  port: 443
{{- end }}
{{- end }}
