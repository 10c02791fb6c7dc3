import { PanelBuilder as BarGauge } from '@grafana/grafana-foundation-sdk/bargauge'
import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import { BigValueColorMode, GraphDrawStyle, LineInterpolation, ReduceDataOptionsBuilder, StackingConfigBuilder, StackingMode, VizOrientation } from '@grafana/grafana-foundation-sdk/common'
import {
  DashboardBuilder, DashboardCursorSync, DatasourceVariableBuilder, MappingType, QueryVariableBuilder, ThresholdsConfigBuilder, ThresholdsMode,
  VariableRefresh, type Dashboard, type Panel, type ValueMapping
} from '@grafana/grafana-foundation-sdk/dashboard'
import { HeatmapColorMode, HeatmapColorOptionsBuilder, PanelBuilder as HeatMap } from '@grafana/grafana-foundation-sdk/heatmap'
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as StateTimeline } from '@grafana/grafana-foundation-sdk/statetimeline'
import { PanelBuilder as TimeSeries } from '@grafana/grafana-foundation-sdk/timeseries'

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
}

const SOURCE = { type: 'prometheus', uid: '${datasource}' } // eslint-disable-line no-template-curly-in-string

interface Common<P> extends Builder<Panel> {
  title (title: string): P
  description (text: string): P
  unit (unit: string): P
  datasource (source: typeof SOURCE): P
  span (columns: number): P
  height (rows: number): P
  withTarget (target: DataqueryBuilder): P
}

function look<P extends Common<P>> (panel: P, queries: Queries, { title, description, unit, width }: Look, height: number, isInstant: boolean): P {
  panel.title(title).description(description).unit(unit).datasource(SOURCE).span(width).height(height)
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

/** A dashboard with a choice of data source and jobs: `$job`. */
export function dashboard (uid: string, title: string, description: string): DashboardBuilder {
  const source = new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus')
  const job = new QueryVariableBuilder('job').label('Job').datasource(SOURCE)
    .query('label_values(cache_rollout_percent, job)').refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true).includeAll(true).allValue('.+').current({ text: 'All', value: '$__all' })
  return new DashboardBuilder(title).uid(uid).description(description).tags(['cache', 'generated'])
    .time({ from: 'now-6h', to: 'now' }).refresh('1m').timezone('browser').readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(source).withVariable(job)
}

/** The text of a dashboard's file. */
export function toJson (built: Dashboard): string {
  return `${JSON.stringify(built, null, 2)}\n`
}
