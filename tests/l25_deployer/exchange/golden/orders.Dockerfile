FROM python:3.12-slim
WORKDIR /app
COPY orders /app
RUN pip install --no-cache-dir -r requirements.txt
CMD ["python", "-m", "orders", "8080"]
