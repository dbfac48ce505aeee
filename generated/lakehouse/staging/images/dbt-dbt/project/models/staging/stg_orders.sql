-- depends_on: {{ ref('raw_orders') }}
-- (the line above makes the example's raw data first; take it out together with the seed)

with numbered as (

    select
        *,
        row_number() over (partition by id order by loaded_at desc) as load_number
    from {{ source('shop', 'raw_orders') }}

)

select
    id as order_id,
    customer as customer_id,
    cast(amount as decimal(18, 2)) as amount,
    upper(currency) as currency,
    lower(status) as status,
    cast(ordered_at as timestamp) as ordered_at,
    cast(ordered_at as date) as order_date
from numbered
-- only the last load of each order
where load_number = 1
