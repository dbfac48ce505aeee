{# A generic test of your own: dbt knows it by this name in every .yml file. Rows that it returns are failures. #}
{% test at_least(model, column_name, minimum) %}

select *
from {{ model }}
where {{ column_name }} < {{ minimum }}

{% endtest %}
