// A dashboard as Grafana's own types describe it, with the options of each kind of panel that is used.
import type * as Grafana from "@grafana/schema";
import type * as TimeSeries from "./node_modules/@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen";
import type * as Stat from "./node_modules/@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen";
import type * as Gauge from "./node_modules/@grafana/schema/dist/types/raw/composable/gauge/panelcfg/x/types.gen";
import type * as BarGauge from "./node_modules/@grafana/schema/dist/types/raw/composable/bargauge/panelcfg/x/types.gen";
import type * as Table from "./node_modules/@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen";
import type * as StateTimeline from "./node_modules/@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/types.gen";
import type * as Heatmap from "./node_modules/@grafana/schema/dist/types/raw/composable/heatmap/panelcfg/x/types.gen";

// The queries of the data source for Prometheus; its types are part of no package for schemas.
interface Query extends Grafana.DataQuery {
  datasource: Grafana.DataSourceRef;
  editorMode: "code" | "builder";
  expr: string;
  format: "time_series" | "table" | "heatmap";
  instant: boolean;
  legendFormat: string;
  range: boolean;
}

type Panel<Kind extends string, Options, Config = Record<string, never>> = Omit<
  Grafana.Panel,
  "type" | "options" | "fieldConfig" | "targets" | "id" | "gridPos"
> & {
  type: Kind;
  id: number;
  gridPos: NonNullable<Grafana.Panel["gridPos"]>;
  options: Options;
  fieldConfig: { defaults: Omit<Grafana.FieldConfig, "custom"> & { custom?: Config }; overrides: [] };
  targets: Query[];
};

type AnyPanel =
  | Grafana.RowPanel
  | Panel<"timeseries", TimeSeries.Options, TimeSeries.FieldConfig>
  | Panel<"stat", Stat.Options>
  | Panel<"gauge", Gauge.Options>
  | Panel<"bargauge", BarGauge.Options>
  | Panel<"table", Table.Options, Table.FieldConfig>
  | Panel<"state-timeline", StateTimeline.Options, StateTimeline.FieldConfig>
  | Panel<"heatmap", Heatmap.Options, Heatmap.FieldConfig>;

// Annotations of the data source for Prometheus have its query beside them.
type Annotation = Grafana.AnnotationQuery & { expr: string; step: string; tagKeys: string; titleFormat: string };

export type GeneratedDashboard = Omit<Grafana.Dashboard, "panels" | "annotations" | "uid"> & {
  uid: string;
  panels: AnyPanel[];
  annotations: { list: Annotation[] };
};
