-- A test of one thing: the mart must not lose or invent money.
with mart as (

    select sum(revenue) as total from {{ ref('fct_daily_sales') }}

),

orders as (

    select sum(amount) as total from {{ ref('stg_orders') }} where status <> 'cancelled'

)

select mart.total as in_mart, orders.total as in_orders
from mart
cross join orders
where mart.total <> orders.total
