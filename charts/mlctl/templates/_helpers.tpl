{{- define "mlctl.name" -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "mlctl.labels" -}}
app.kubernetes.io/name: mlctl
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "mlctl.account" -}}
{{ .Values.access.serviceAccount.name | default (include "mlctl.name" .) }}
{{- end }}

{{- define "mlctl.jobsAccount" -}}
{{ .Values.jobs.serviceAccount.name | default (printf "%s-jobs" (include "mlctl.name" .)) }}
{{- end }}

{{- /* Name of the Secret with the store's keys; empty if there is none. */ -}}
{{- define "mlctl.storeSecret" -}}
{{- if .Values.store.existingSecret -}}
{{ .Values.store.existingSecret }}
{{- else if or .Values.store.accessKeyId .Values.trialStore.enabled -}}
{{ include "mlctl.name" . }}-store
{{- end -}}
{{- end }}

{{- define "mlctl.storeUrl" -}}
{{- if .Values.trialStore.enabled -}}
s3://{{ .Values.trialStore.bucket }}
{{- else -}}
{{ .Values.store.url }}
{{- end -}}
{{- end }}

{{- define "mlctl.storeEndpoint" -}}
{{- if .Values.trialStore.enabled -}}
http://{{ include "mlctl.name" . }}-s3.{{ .Release.Namespace }}.svc:8333
{{- else -}}
{{ .Values.store.endpoint }}
{{- end -}}
{{- end }}

{{- /* The profile `restricted` of the Pod Security Standards, as for jobs. */ -}}
{{- define "mlctl.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "mlctl.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
{{- end }}

{{- define "mlctl.subjects" -}}
- kind: ServiceAccount
  name: {{ include "mlctl.account" . }}
  namespace: {{ .Release.Namespace }}
{{- with .Values.access.subjects }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What pods may reach by the network policies. */}}
{{- define "mlctl.egress" -}}
# Names.
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
# The store.
{{- if .Values.trialStore.enabled }}
- to:
    - podSelector:
        matchLabels:
          app.kubernetes.io/instance: {{ .Release.Name }}
          app.kubernetes.io/component: trial-store
  ports:
    - {port: 8333, protocol: TCP}
{{- else }}
- to:
    {{- range .Values.networkPolicy.store.cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  ports:
    - {port: {{ .Values.networkPolicy.store.port }}, protocol: TCP}
{{- end }}
{{- if .Values.networkPolicy.internet }}
- to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: [10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]
    - ipBlock:
        cidr: "::/0"
        except: ["fc00::/7", "fe80::/10"]
{{- end }}
{{- with .Values.networkPolicy.egress }}
{{- toYaml . | nindent 0 }}
{{- end }}
{{- end }}
