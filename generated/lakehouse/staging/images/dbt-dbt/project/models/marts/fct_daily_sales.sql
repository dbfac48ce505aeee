{{
    config(
        materialized='table',
        format='iceberg',
        partition_by=['month(order_date)'],
        localsort_by=['order_date'],
    )
}}

-- One folder of files per month: a query for some weeks reads those months only.
select
    order_date,
    currency,
    count(*) as orders,
    count(distinct customer_id) as customers,
    sum(amount) as revenue
from {{ ref('stg_orders') }}
where status <> 'cancelled'
group by order_date, currency
