import { PanelBuilder as BarGauge } from '@grafana/grafana-foundation-sdk/bargauge'
import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import { BigValueColorMode, GraphDrawStyle, LineInterpolation, ReduceDataOptionsBuilder, StackingConfigBuilder, StackingMode, VizOrientation } from '@grafana/grafana-foundation-sdk/common'
import {
  AnnotationQueryBuilder, DashboardBuilder, DashboardCursorSync, DashboardLinkBuilder, DashboardLinkType, DatasourceVariableBuilder, MappingType,
  QueryVariableBuilder, ThresholdsConfigBuilder, ThresholdsMode, VariableRefresh, type Dashboard, type DashboardLink, type Panel, type ValueMapping
} from '@grafana/grafana-foundation-sdk/dashboard'
import { HeatmapColorMode, HeatmapColorOptionsBuilder, PanelBuilder as HeatMap } from '@grafana/grafana-foundation-sdk/heatmap'
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as StateTimeline } from '@grafana/grafana-foundation-sdk/statetimeline'
import { PanelBuilder as TimeSeries } from '@grafana/grafana-foundation-sdk/timeseries'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** PromQL by the name of its series; `{{label}}` in a name is the value of that label. */
export type Queries = Record<string, string>

/** What panels have in common. */
export interface Look {
  title: string
  /** For who asks what it means. */
  description: string
  /** https://grafana.com/docs/grafana/latest/panels-visualizations/configure-standard-options/#unit */
  unit: string
  /** Of 24 columns. */
  width: number
  /** The alerts whose runbooks the panel links to. */
  alerts?: readonly string[]
}

const { repository } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as { repository: { url: string; directory: string } }
const PACKAGE = `${repository.url.replace(/^git\+|\.git$/g, '')}/blob/main/${repository.directory}`

/** The address of the runbook of an alert, as in the alert's `runbook_url`. */
export function runbookUrl (alert: string): string {
  return `${PACKAGE}/runbooks/${alert}.md`
}

/** Label matchers of every query: the chosen jobs and processes. */
export const CHOSEN = 'job=~"$job",instance=~"$instance"'
/** The chosen routes, for metrics with that label. */
export const ROUTES = 'route=~"$route"'
/** The chosen key patterns, for metrics with that label. */
export const PATTERNS = 'key_pattern=~"$pattern"'

const SOURCE = { type: 'prometheus', uid: '${datasource}' } // eslint-disable-line no-template-curly-in-string

interface Common<P> extends Builder<Panel> {
  title (title: string): P
  description (text: string): P
  unit (unit: string): P
  datasource (source: typeof SOURCE): P
  span (columns: number): P
  height (rows: number): P
  links (links: Builder<DashboardLink>[]): P
  withTarget (target: DataqueryBuilder): P
}

function look<P extends Common<P>> (panel: P, queries: Queries, { title, description, unit, width, alerts = [] }: Look, height: number, isInstant: boolean): P {
  panel.title(title).description(description).unit(unit).datasource(SOURCE).span(width).height(height)
  if (alerts.length > 0) panel.links(alerts.map((alert) => linkTo(`Runbook: ${alert}`, runbookUrl(alert))))
  for (const [at, [name, expr]] of Object.entries(queries).entries()) {
    const query = new DataqueryBuilder().refId(String.fromCharCode(65 + at)).expr(expr).legendFormat(name)
    panel.withTarget(isInstant ? query.instant() : query.range())
  }
  return panel
}

/** Lines over time. */
export function lines (queries: Queries, options: Look): TimeSeries {
  return look(new TimeSeries(), queries, options, 8, false).min(0).fillOpacity(10)
}

/** Areas that add up. */
export function stacked (queries: Queries, options: Look): TimeSeries {
  return lines(queries, options).fillOpacity(40).stacking(new StackingConfigBuilder().mode(StackingMode.Normal))
}

/** Lines that keep their value until it changes. */
export function steps (queries: Queries, options: Look): TimeSeries {
  return lines(queries, options).drawStyle(GraphDrawStyle.Line).lineInterpolation(LineInterpolation.StepAfter)
}

/** A number, red from `alarm` on if there is one. */
export function stat (queries: Queries, options: Look, alarm?: number): Stat {
  return look(new Stat(), queries, options, 4, true)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false))
    .colorMode(BigValueColorMode.Value)
    .noValue('no data')
    .thresholds(redFrom(alarm))
}

/** A ranking. */
export function bars (queries: Queries, options: Look): BarGauge {
  return look(new BarGauge(), queries, options, 10, true)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false))
    .orientation(VizOrientation.Horizontal)
    .min(0)
    .thresholds(redFrom(undefined))
}

/** A row for each series, darker where there is more. */
export function heatMap (queries: Queries, options: Look): HeatMap {
  return look(new HeatMap(), queries, options, 12, false)
    .calculate(false)
    .color(new HeatmapColorOptionsBuilder().mode(HeatmapColorMode.Scheme).scheme('Oranges').steps(64))
}

/** What state each series was in. */
export function states (queries: Queries, options: Look, names: readonly string[]): StateTimeline {
  const colors = ['green', 'yellow', 'red']
  const mappings: ValueMapping[] = [{
    type: MappingType.ValueToText,
    options: Object.fromEntries(names.map((text, value) => [String(value), { text, color: colors[value]!, index: value }]))
  }]
  return look(new StateTimeline(), queries, options, 6, false).mappings(mappings)
}

function redFrom (alarm: number | undefined): ThresholdsConfigBuilder {
  const steps = [{ value: null, color: 'green' }, ...alarm === undefined ? [] : [{ value: alarm, color: 'red' }]]
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps)
}

function linkTo (title: string, url: string): DashboardLinkBuilder {
  return new DashboardLinkBuilder(title).type(DashboardLinkType.Link).url(url).targetBlank(true)
}

/** A choice among the values of a label; all of them at first. */
function choice (name: string, label: string, values: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name).label(label).datasource(SOURCE)
    .query(`label_values(${values})`).refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true).includeAll(true).allValue('.+').current({ text: 'All', value: '$__all' })
}

/** A mark in all panels at each change of the percent; Grafana draws it where the value is above 0. */
function rolloutChange (name: string, color: string, comparison: '>' | '<'): AnnotationQueryBuilder {
  const percent = 'max by (job) (cache_rollout_percent{job=~"$job"}'
  return new AnnotationQueryBuilder().name(name).datasource(SOURCE).enable(true).iconColor(color)
    .expr(`(${percent}) ${comparison} bool ${percent} offset $__interval)) > 0`).step('60s').titleFormat(name).textFormat('{{job}}')
}

/**
 * A dashboard with a choice of data source, jobs, processes, routes and key patterns: `$job`, `$instance`, `$route`, `$pattern`. It has marks at the
 * changes of the rollout, and links to the runbooks and to the other dashboard.
 */
export function dashboard (uid: string, title: string, description: string): DashboardBuilder {
  return new DashboardBuilder(title).uid(uid).description(description).tags(['cache', 'generated'])
    .time({ from: 'now-6h', to: 'now' }).refresh('1m').timezone('browser').readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .withVariable(choice('job', 'Job', 'cache_rollout_percent, job'))
    .withVariable(choice('instance', 'Instance', 'cache_rollout_percent{job=~"$job"}, instance'))
    .withVariable(choice('route', 'Route', `cache_request_duration_seconds_count{${CHOSEN}}, route`))
    .withVariable(choice('pattern', 'Key pattern', `cache_miss_total{${CHOSEN}}, key_pattern`))
    .annotation(rolloutChange('Rollout raised', 'green', '>'))
    .annotation(rolloutChange('Rollout lowered', 'red', '<'))
    .link(new DashboardLinkBuilder('Cache').type(DashboardLinkType.Dashboards).tags(['cache']).includeVars(true).keepTime(true))
    .link(linkTo('Runbooks', `${PACKAGE}/prometheus/README.md#runbooks`))
}

/** The text of a dashboard's file. */
export function toJson (built: Dashboard): string {
  return `${JSON.stringify(built, null, 2)}\n`
}
